package alonzo.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Waits, in a process that learns only later what it is to run.
 *
 * <p>Until then it does once what the first call of most functions does, so that those classes are
 * loaded and linked. Nobody may ask for a variable before it has those of the function.
 */
final class Parked {
    private static final String EXAMPLE =
            "{\"text\": \"\\u00e9 1\", \"list\": [1, 2.5, null, true], \"inner\": {\"a\": \"b\"}}";

    private Parked() {}

    /** One thing to do ahead. */
    private interface Step {
        void take() throws Throwable;
    }

    /** Wait to be told what to run. Answers whether anybody did: false, the daemon has gone. */
    static boolean becomeFunction(Channel channel) throws IOException {
        Surroundings surroundings = Surroundings.find();
        for (Step step : new Step[] {Parked::call, Parked::load, Parked::fail, Parked::digest}) {
            if (channel.hasInput()) {
                break; // Somebody waits already: what is left the function may not even need.
            }
            try {
                step.take();
            } catch (Throwable err) {
                continue; // The function will meet the same, and can say so.
            }
        }
        Map<?, ?> variables = channel.receiveVariables();
        if (variables == null) {
            return false;
        }
        surroundings.become(variables);
        return true;
    }

    /** What the example handlers take and give. */
    public static final class Example {
        private String text;
        public List<Object> list;
        public Map<String, String> inner;

        public String getText() {
            return text;
        }

        public void setText(String text) {
            this.text = text;
        }
    }

    /** Handlers of both kinds. */
    public static final class Examples
            implements RequestHandler<Map<String, Object>, Object> {
        @Override
        public Object handleRequest(Map<String, Object> event, Context context) {
            return event;
        }

        public Example bean(Example event, Context context) {
            return event;
        }
    }

    private static void call() throws Throwable {
        ClassLoader loader = Parked.class.getClassLoader();
        Serializers serializers = Serializers.find(loader);
        byte[] event = EXAMPLE.getBytes(StandardCharsets.UTF_8);
        Map<String, Object> header = new LinkedHashMap<>();
        header.put("id", "");
        header.put("deadline_ms", Instant.now().toEpochMilli());
        for (String method : new String[] {"", "::bean"}) {
            String name = Examples.class.getName() + method;
            Handler handler = new Handlers(name, loader, serializers).find();
            CallContext context = new CallContext(header, null);
            context.getRemainingTimeInMillis();
            handler.call(event, context);
        }
        Json.text(Json.parse(Json.text(header)));
    }

    /** A class, and a file that is none, out of an archive, as those of most functions. */
    private static void load() throws Exception {
        URL archive = Parked.class.getProtectionDomain().getCodeSource().getLocation();
        ClassLoader above = ClassLoader.getSystemClassLoader().getParent();
        URL[] places = {new File("/var/empty/").toURI().toURL(), archive};
        try (URLClassLoader loader = new URLClassLoader(places, above)) {
            Class.forName(Handler.class.getName(), true, loader).getName();
            loader.getResource("META-INF/services/none");
        }
    }

    private static void fail() {
        Throwable error = new IllegalStateException("example", new RuntimeException("cause"));
        Json.text(Fault.documentOf(error));
        Fault.reportOf(error);
    }

    private static void digest() throws Exception {
        MessageDigest.getInstance("SHA-256").digest(new byte[1]);
    }
}
