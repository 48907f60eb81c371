package deepscribble

import groovy.transform.CompileStatic

/** Something that the pathologist must know or do; the message says what happened and what helps. */
@CompileStatic
class Trouble extends Exception {

    /** The server's word for it, such as REGION_NOT_FOUND; empty if it is not the server's. */
    final String reason

    Trouble(String message, String reason = '', Throwable cause = null) {
        super(message, cause)
        this.reason = reason
    }

    /** What went wrong as something to be read, also where nobody foresaw it. */
    static Trouble of(Throwable error) {
        return error instanceof Trouble ? (Trouble) error : new Trouble(
            "Something went wrong that DeepScribble did not expect: ${error}\n\n" +
            'View > Show log tells where. Please report it to who gave you DeepScribble.', '', error
        )
    }
}
