package deepscribble

import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.lib.images.ImageData

/**
 * What the scripts beside this folder call.
 *
 * A QuPath script is a single file and sees no other. These know the folder that they lie in, since
 * QuPath tells a script its file, and load the rest from there; so the rest stands here once, and
 * all that is to be installed is a folder to be dropped into QuPath's folder of user scripts.
 */
@CompileStatic
class Start {

    private static final Logger LOG = LoggerFactory.getLogger('DeepScribble')

    static void segment(ImageData<BufferedImage> image) {
        attempt { First.draw(new Settings(), image) }
    }

    static void live(ImageData<BufferedImage> image) {
        attempt {
            Live.start(new Settings()) { Gui.isOpen() ? Gui.image() : image }
            Gui.whisper('Live: each stroke redraws the outline. StopLive ends it.')
        }
    }

    static void stop() {
        Gui.whisper(Live.stop() ? 'Live refining has ended.' : 'Live refining was not running.')
    }

    /** In the window trouble becomes one dialog; elsewhere the script fails and says why. */
    private static void attempt(Closure action) {
        try {
            action.call()
        } catch (InterruptedException stopped) {
            throw stopped
        } catch (Exception error) {
            if (!Gui.isOpen()) {
                throw error
            }
            LOG.error('The script failed', error)
            Gui.say(Trouble.of(error).message)
        }
    }
}
