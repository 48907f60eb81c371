package qupath.fx.dialogs

import java.util.concurrent.CopyOnWriteArrayList

/** In place of QuPath's own: keeps what a person would have read. */
class Dialogs {

    static final List<String> ERRORS = new CopyOnWriteArrayList<String>()
    static final List<String> NOTES = new CopyOnWriteArrayList<String>()

    static void showErrorMessage(String title, String message) {
        ERRORS.add(title + ': ' + message)
    }

    static void showInfoNotification(String title, String message) {
        NOTES.add(message)
    }
}
