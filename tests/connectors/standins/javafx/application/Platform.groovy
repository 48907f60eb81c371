package javafx.application

import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors
import java.util.concurrent.ThreadFactory

/** In place of JavaFX: one thread that alone may change what the window shows. */
class Platform {

    static final String THREAD = 'JavaFX Application Thread'

    private static final ExecutorService WINDOW = Executors.newSingleThreadExecutor({ Runnable work ->
        Thread thread = new Thread(work, THREAD)
        thread.daemon = true
        return thread
    } as ThreadFactory)

    static boolean isFxApplicationThread() {
        return Thread.currentThread().name == THREAD
    }

    static void runLater(Runnable work) {
        WINDOW.execute(work)
    }
}
