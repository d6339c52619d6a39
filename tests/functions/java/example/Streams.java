package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Copies bytes, as a handler and as a plain method. */
public class Streams implements RequestStreamHandler {
    @Override
    public void handleRequest(InputStream input, OutputStream output, Context context)
            throws IOException {
        byte[] buffer = new byte[8192];
        for (int n = input.read(buffer); n >= 0; n = input.read(buffer)) {
            output.write(buffer, 0, n);
        }
    }

    public static void plain(InputStream input, OutputStream output) throws IOException {
        output.write('"');
        for (int c = input.read(); c >= 0; c = input.read()) {
            output.write(c == '"' ? '\'' : c);
        }
        output.write('"');
    }
}
