package qupath.lib.gui

import java.awt.Rectangle
import java.awt.Shape
import qupath.lib.images.ImageData
import qupath.lib.io.PathIO
import qupath.lib.objects.classes.PathClass
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyEvent
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyListener

/** In place of QuPath's window: the image that it shows, its undo, and the classes that it hides. */
class QuPathGUI {

    private static QuPathGUI instance

    final Set<PathClass> hidden = new LinkedHashSet<PathClass>()
    Rectangle view = new Rectangle(0, 0, 100, 100)
    private ImageData image
    private Undo undo

    static QuPathGUI getInstance() {
        return instance
    }

    static void open(ImageData image) {
        instance = instance ?: new QuPathGUI()
        instance.image = image
        instance.undo = new Undo(image.hierarchy)
    }

    static void close() {
        instance = null
    }

    ImageData getImageData() {
        return image
    }

    QuPathGUI getViewer() {
        return this
    }

    Shape getDisplayedRegionShape() {
        return view
    }

    int getZPosition() {
        return 0
    }

    int getTPosition() {
        return 0
    }

    QuPathGUI getOverlayOptions() {
        return this
    }

    void setPathClassHidden(PathClass pathClass, boolean isHidden) {
        hidden.add(pathClass)
    }

    Undo getUndoRedoManager() {
        return undo
    }

    /**
     * As QuPath's UndoRedoManager does it: a copy of all annotations at each change that is not one
     * of several, and undoing puts the last copy in place of them.
     */
    static class Undo implements PathObjectHierarchyListener {

        private final PathObjectHierarchy hierarchy
        private final List<byte[]> back = []
        private final List<byte[]> forth = []
        private byte[] now
        private boolean restoring

        Undo(PathObjectHierarchy hierarchy) {
            this.hierarchy = hierarchy
            now = copy()
            hierarchy.addListener(this)
        }

        @Override
        void hierarchyChanged(PathObjectHierarchyEvent event) {
            if (restoring || event.isChanging()) {
                return
            }
            back.add(now)
            now = copy()
            forth.clear()
        }

        boolean undoOnce() {
            return restore(back, forth)
        }

        boolean redoOnce() {
            return restore(forth, back)
        }

        private boolean restore(List<byte[]> from, List<byte[]> to) {
            if (from.isEmpty()) {
                return false
            }
            to.add(now)
            now = from.removeAt(from.size() - 1)
            restoring = true
            hierarchy.selectionModel.clearSelection()
            def stream = PathIO.createObjectInputStream(new ByteArrayInputStream(now))
            hierarchy.setHierarchy((PathObjectHierarchy) stream.readObject())
            restoring = false
            return true
        }

        private byte[] copy() {
            def bytes = new ByteArrayOutputStream()
            def stream = new ObjectOutputStream(bytes)
            stream.writeObject(hierarchy)
            stream.flush()
            return bytes.toByteArray()
        }
    }
}
