package deepscribble

import groovy.transform.CompileStatic

/** What to do after QuPath has put a copy of the annotations back. */
@CompileStatic
enum Step { STAY, BACK, FORTH }
