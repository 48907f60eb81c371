package deepscribble

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParseException
import com.google.gson.JsonParser
import groovy.transform.CompileStatic
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.net.http.HttpTimeoutException
import java.nio.channels.UnresolvedAddressException
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import javax.net.ssl.SSLException

/** The server, over HTTP. What goes wrong comes out as Trouble that says what helps. */
@CompileStatic
class Server {

    private static final Duration PATIENCE = Duration.ofSeconds(300)

    private final Settings settings
    private final String address
    private final HttpClient http = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .connectTimeout(Duration.ofSeconds(5))
        .build()

    Server(Settings settings) {
        this.settings = settings
        this.address = settings.server.replaceAll('/+$', '')
    }

    /** The answer to a question without a body. */
    JsonObject get(String path) {
        return wait(begin(request(path).GET()))
    }

    /** Send pixels; they are known by the answer from then on. */
    String put(byte[] png) {
        HttpRequest.Builder request = request('/v1/regions')
            .header('Content-Type', 'image/png')
            .PUT(HttpRequest.BodyPublishers.ofByteArray(png))
        JsonObject body = wait(begin(request))
        return read { body.get('regionId').asString }
    }

    /** Ask for an outline as annotations; cancelling the answer cancels the server's work. */
    CompletableFuture<HttpResponse<String>> refine(JsonObject message) {
        String query = '?class=' + URLEncoder.encode(settings.outline, 'UTF-8')
        return begin(request('/v1/refine' + query)
            .header('Content-Type', 'application/json')
            .header('Accept', 'application/geo+json')
            .POST(HttpRequest.BodyPublishers.ofString(message.toString())))
    }

    private HttpRequest.Builder request(String path) {
        try {
            HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(address + path))
            if (settings.token) {
                builder.header('Authorization', 'Bearer ' + settings.token)
            }
            return builder.timeout(PATIENCE)
        } catch (IllegalArgumentException error) {
            throw new Trouble(
                "\"${settings.server}\" is no address of a server.\n\n" +
                'Write one like http://127.0.0.1:8080 into Settings.groovy.', '', error
            )
        }
    }

    private CompletableFuture<HttpResponse<String>> begin(HttpRequest.Builder request) {
        return http.sendAsync(request.build(), HttpResponse.BodyHandlers.ofString())
    }

    /** The answer, once it is there. */
    JsonObject wait(CompletableFuture<HttpResponse<String>> answer) {
        HttpResponse<String> response
        try {
            response = answer.get()
        } catch (ExecutionException error) {
            throw failed(error.cause)
        } catch (InterruptedException error) {
            answer.cancel(true)
            throw error
        }
        JsonObject body = parsed(response.body())
        if (response.statusCode() == 200 && body != null) {
            return body
        }
        throw refused(response.statusCode(), body)
    }

    /**
     * What this reads out of an answer.
     *
     * @throws Trouble if it is not there: another program answers with JSON as well
     */
    public <T> T read(Closure<T> reading) {
        try {
            return reading.call()
        } catch (RuntimeException error) {
            // Whatever is missing or of another kind: there are too many ways to name each.
            throw strange(200, '', error)
        }
    }

    private static JsonObject parsed(String text) {
        try {
            JsonElement element = JsonParser.parseString(text)
            return element.isJsonObject() ? element.asJsonObject : null
        } catch (JsonParseException ignored) {
            return null
        }
    }

    /** No answer came: what was tried, why it failed, and what helps. */
    private Trouble failed(Throwable error) {
        String help
        if (error instanceof SSLException) {
            help = address.startsWith('https:') && "${error.message}".contains('SSL message') ?
                'The server speaks plain HTTP there: write http:// in place of https:// into ' +
                'Settings.groovy.' :
                'The server\'s certificate is not trusted by QuPath. Ask who runs the server for ' +
                'its name and certificate, or reach it through an SSH tunnel as 127.0.0.1.'
        } else if (error instanceof HttpTimeoutException) {
            help = 'Nothing came back in time. Look whether the server still runs, and whether a ' +
                'firewall or VPN lies between.'
        } else if (error.cause instanceof UnresolvedAddressException) {
            help = 'There is no computer of this name. Look for a misspelling in Settings.groovy.'
        } else if (error instanceof ConnectException) {
            help = 'No server listens there. Start it on this computer with\n\n' +
                "    deepscribble serve --http ${listen()}\n\n" +
                'or, if it runs with another port, write that into Settings.groovy.'
        } else {
            help = 'Something listens there, but it does not speak HTTP. If this is the gRPC ' +
                'port, write the other one, which follows --http, into Settings.groovy.'
        }
        String why = error.message ?: error.class.simpleName
        return new Trouble(
            'The DeepScribble server could not be reached.\n\n' +
            "Tried: ${address} (${why})\n\n${help}", 'UNREACHABLE', error
        )
    }

    private String listen() {
        return address.replaceFirst('^\\w+://', '').replaceFirst('/.*$', '')
    }

    /** An answer came, but not the one asked for. */
    private Trouble refused(int status, JsonObject body) {
        String reason = text(body, 'reason')
        String detail = text(body, 'detail')
        if (reason == '' || reason == 'ROUTE_NOT_FOUND') {
            return strange(status, reason, null)
        }
        return new Trouble("The server refused: ${detail ?: reason}", reason)
    }

    private Trouble strange(int status, String reason, Throwable cause) {
        boolean closed = status == 401 || status == 403
        return new Trouble(
            "${address} answered, but not as DeepScribble does (HTTP ${status}).\n\n" + (closed ?
            'It wants a token. Ask who runs the server for one and write it into ' +
            'Settings.groovy.' :
            'Either another program has this port, or the server is too old or too new for ' +
            'this script. "deepscribble --version" tells its version; the scripts that ' +
            'belong to it come with it.'), reason, cause
        )
    }

    private static String text(JsonObject body, String name) {
        JsonElement element = body?.get(name)
        return element != null && element.isJsonPrimitive() ? element.asString : ''
    }
}
