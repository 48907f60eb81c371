package deepscribble

import java.awt.Shape
import java.util.concurrent.FutureTask
import org.slf4j.LoggerFactory
import qupath.lib.images.ImageData
import qupath.lib.objects.classes.PathClass

/**
 * QuPath's window, where there is one. All that the scripts ask of it stands here, by name, because
 * they also run where QuPath has no window: from its command line, and in tests.
 */
class Gui {

    private static final String TITLE = 'DeepScribble'

    /** QuPath's window, or null. */
    private static Object window() {
        Class type = named('qupath.lib.gui.QuPathGUI')
        return type == null ? null : type.getInstance()
    }

    private static Class named(String name) {
        try {
            return Class.forName(name, true, Gui.classLoader)
        } catch (ClassNotFoundException | LinkageError ignored) {
            return null
        }
    }

    static boolean isOpen() {
        return window() != null
    }

    /** Do something on the thread that alone may change what the window shows, and wait for it. */
    static void run(Runnable work) {
        Class platform = isOpen() ? named('javafx.application.Platform') : null
        if (platform == null || platform.isFxApplicationThread()) {
            work.run()
            return
        }
        FutureTask<Void> task = new FutureTask<Void>(work, null)
        platform.runLater(task)
        task.get()
    }

    /** Tell the pathologist in a dialog; in the log where there is no window. */
    static void say(String message) {
        Class dialogs = isOpen() ? named('qupath.fx.dialogs.Dialogs') : null
        if (dialogs == null) {
            LoggerFactory.getLogger(TITLE).error(message)
        } else {
            run { dialogs.showErrorMessage(TITLE, message) }
        }
    }

    /** A line that fades by itself, for what need not be answered. */
    static void whisper(String message) {
        Class dialogs = isOpen() ? named('qupath.fx.dialogs.Dialogs') : null
        LoggerFactory.getLogger(TITLE).info(message)
        dialogs?.showInfoNotification(TITLE, message)
    }

    /** The image that the window shows, or null. */
    static ImageData image() {
        return (ImageData) window()?.getImageData()
    }

    /** The part of the image that the window shows, or null without a window. */
    static Shape view() {
        return (Shape) window()?.getViewer()?.getDisplayedRegionShape()
    }

    /** The slice and time point that the window shows. */
    static List<Integer> plane() {
        Object viewer = window()?.getViewer()
        return viewer == null ? [0, 0] : [viewer.getZPosition(), viewer.getTPosition()]
    }

    static void undo() {
        run { window()?.getUndoRedoManager()?.undoOnce() }
    }

    static void redo() {
        run { window()?.getUndoRedoManager()?.redoOnce() }
    }

    static void hide(PathClass pathClass) {
        run { window()?.getViewer()?.getOverlayOptions()?.setPathClassHidden(pathClass, true) }
    }
}
