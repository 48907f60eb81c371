package qupath.lib.scripting

import qupath.lib.images.ImageData

/** In place of QuPath's own: what a script asks for the image that is open. */
class QP {

    static ImageData opened

    static ImageData getCurrentImageData() {
        return opened
    }
}
