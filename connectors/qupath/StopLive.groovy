/*
 * DeepScribble: strokes are only strokes again. What was drawn stays.
 */
if (!binding.hasVariable('qupath.script.file')) {
    throw new IllegalStateException('Open this script from the folder that it came in.')
}
def parts = new GroovyClassLoader(getClass().classLoader)
parts.addClasspath(new File(binding.getVariable('qupath.script.file')).absoluteFile.parent)
parts.loadClass('deepscribble.Start').stop()
