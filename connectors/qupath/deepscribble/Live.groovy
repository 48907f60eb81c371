package deepscribble

import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.BlockingQueue
import java.util.concurrent.TimeUnit
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.lib.images.ImageData
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyEvent
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyListener

/**
 * Answers each stroke of the image on the screen with a better outline, until it is stopped.
 *
 * All work is done in one thread of its own: QuPath's listeners do nothing but ring its bell. The
 * thread is found by its name, which is how it is stopped: a script that is run again knows nothing
 * else of the one before.
 */
@CompileStatic
class Live implements Runnable, PathObjectHierarchyListener {

    private static final Logger LOG = LoggerFactory.getLogger('DeepScribble')
    private static final String THREAD = 'DeepScribble live'

    /** How often to look whether another image is on the screen, milliseconds. */
    private static final long GLANCE = 500

    private final Settings settings
    private final Server server
    private final Model model
    private final Closure<ImageData<BufferedImage>> onScreen
    private final BlockingQueue<Boolean> bell = new ArrayBlockingQueue<Boolean>(1)

    private ImageData<BufferedImage> image
    private Session session

    /** Ids of the annotations of this image that wait for no answer. */
    private Set<UUID> settled = [] as Set<UUID>
    private String told = ''

    private Live(Settings settings, Closure<ImageData<BufferedImage>> onScreen) {
        this.settings = settings
        this.onScreen = onScreen
        server = new Server(settings)
        model = new Model(server, settings)
    }

    /**
     * Begin, in place of one that was begun before.
     *
     * @param onScreen tells the image that is on the screen, or null
     * @throws Trouble if the server cannot be reached; then nothing has begun
     */
    static void start(Settings settings, Closure<ImageData<BufferedImage>> onScreen) {
        stop()
        Live live = new Live(settings, onScreen)
        live.attempt { live.follow() }
        Thread thread = new Thread(live, THREAD)
        thread.daemon = true
        thread.start()
    }

    /** End, and wait for the end. @return whether there was anything to end */
    static boolean stop() {
        List<Thread> threads = Thread.allStackTraces.keySet()
            .findAll { Thread it -> it.name == THREAD } as List<Thread>
        threads.each { Thread it -> it.interrupt() }
        threads.each { Thread it -> it.join(10000) }
        return !threads.isEmpty()
    }

    @Override
    void hierarchyChanged(PathObjectHierarchyEvent event) {
        if (!event.isChanging()) {
            bell.offer(true)
        }
    }

    @Override
    void run() {
        try {
            while (true) {
                boolean rung = bell.poll(GLANCE, TimeUnit.MILLISECONDS) != null
                attempt {
                    follow()
                    if (rung && session != null) {
                        session.work()
                        told = ''
                    }
                }
            }
        } catch (InterruptedException ignored) {
            LOG.info('Live refining has ended')
        } finally {
            image?.hierarchy?.removeListener(this)
        }
    }

    /** Do something; of what goes wrong, tell the same thing once, until all goes well again. */
    private void attempt(Closure action) {
        try {
            action.call()
        } catch (InterruptedException stopped) {
            throw stopped
        } catch (Exception error) {
            if (Thread.currentThread().isInterrupted()) {
                // Reading a file fails in its own way when it is to stop.
                throw new InterruptedException()
            }
            String message = Trouble.of(error).message
            if (told != message) {
                told = message
                LOG.warn('Live refining is held up', error)
                Gui.say(message)
            }
        }
    }

    /** Turn to the image that is on the screen, and to the size that its pixels have now. */
    private void follow() {
        ImageData<BufferedImage> now = onScreen.call()
        if (!now.is(image)) {
            image?.hierarchy?.removeListener(this)
            image = now
            session = null
            told = ''
            if (now != null) {
                // What was drawn before has been answered or was never asked.
                settled = now.hierarchy.annotationObjects*.ID as Set<UUID>
                now.hierarchy.addListener(this)
            }
        } else if (session != null && !session.isCurrent()) {
            settled = session.settled()
            session = null
        }
        if (image != null && session == null) {
            session = new Session(image, settled, settings, server, model, bell)
            bell.offer(true)
        }
    }
}
