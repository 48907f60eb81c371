package deepscribble

import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import java.awt.Shape
import java.awt.image.BufferedImage
import java.net.http.HttpResponse
import java.util.concurrent.CompletableFuture
import qupath.lib.images.ImageData
import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy

/** The first outline of an area, and of strokes that are already in it. */
@CompileStatic
class First {

    /**
     * Outline the selected annotation, or what the window shows.
     *
     * @throws Trouble what stands in the way
     */
    static void draw(Settings settings, ImageData<BufferedImage> image) {
        if (image == null) {
            throw new Trouble('No image is open. Open one and run the script again.')
        }
        Picture picture = new Picture(image)
        Area area = chosen(image.hierarchy, picture)
        Server server = new Server(settings)
        Model model = new Model(server, settings)
        Drawing drawing = new Drawing(area, settings, server, picture, model)
        Strokes strokes = new Strokes(
            image.hierarchy, settings, picture, picture.downsample(model.mpp)
        )
        strokes.look()
        List<Stroke> drawn = strokes.inside(area)
        Outline outline = new Outline(image.hierarchy, area, settings.outline)
        Answer answer = drawing.ask(drawn, outline.shown().keySet()) {
            CompletableFuture<HttpResponse<String>> coming -> server.wait(coming)
        }
        List<Stroke> unheeded = []
        Gui.run { unheeded = outline.show(answer, drawn) }
        answer.warnings.each { String it -> Gui.whisper(it) }
        if (!unheeded.isEmpty()) {
            Gui.whisper(Outline.UNHEEDED)
        }
        if (answer.annotations.isEmpty()) {
            Gui.whisper('Nothing was found here; a stroke says where to look')
        }
    }

    private static Area chosen(PathObjectHierarchy hierarchy, Picture picture) {
        PathObject selected = hierarchy.selectionModel.selectedObject
        if (
            selected != null && selected.isAnnotation() && selected.hasROI() &&
            selected.ROI.isArea() && !Classes.isOurs(selected)
        ) {
            return checked(Area.around(selected.ROI, 0, picture.width, picture.height))
        }
        Shape view = Gui.view()
        if (view == null) {
            throw new Trouble('Nothing is selected. Select the annotation to be outlined.')
        }
        List<Integer> plane = Gui.plane()
        return checked(
            Area.around(view.bounds2D, plane[0], plane[1], picture.width, picture.height)
        )
    }

    private static Area checked(Area area) {
        if (area.isEmpty()) {
            throw new Trouble('This lies outside the image. Select an annotation that is on it.')
        }
        return area
    }
}
