/*
 * DeepScribble: outline the selected annotation, or what the window shows.
 *
 * Run it again to begin anew: the outline that it drew before is replaced, nothing else.
 * The server's address and the classes stand in deepscribble/Settings.groovy.
 */
import qupath.lib.scripting.QP

if (!binding.hasVariable('qupath.script.file')) {
    throw new IllegalStateException('Open this script from the folder that it came in.')
}
def parts = new GroovyClassLoader(getClass().classLoader)
parts.addClasspath(new File(binding.getVariable('qupath.script.file')).absoluteFile.parent)
parts.loadClass('deepscribble.Start').segment(QP.currentImageData)
