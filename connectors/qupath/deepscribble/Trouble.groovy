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
}
