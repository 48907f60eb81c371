/*
 * DeepScribble: from now on, each stroke that you draw redraws the outline around it.
 *
 * Run it once; it goes on, also with the next image, until you run StopLive or close QuPath.
 * The server's address and the classes stand in deepscribble/Settings.groovy; after a change, run
 * this again.
 */
import qupath.lib.scripting.QP

if (!binding.hasVariable('qupath.script.file')) {
    throw new IllegalStateException('Open this script from the folder that it came in.')
}
def parts = new GroovyClassLoader(getClass().classLoader)
parts.addClasspath(new File(binding.getVariable('qupath.script.file')).absoluteFile.parent)
parts.loadClass('deepscribble.Start').live(QP.currentImageData)
