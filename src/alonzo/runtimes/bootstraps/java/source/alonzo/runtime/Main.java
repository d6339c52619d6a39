package alonzo.runtime;

import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Runs a Java handler: calls arrive as frames on descriptor 3, results leave the same way.
 *
 * <p>One source for Java 8 and later, standard library only. The behaviour is that of AWS's own
 * client, down to the texts of its errors.
 */
public final class Main {
    private static final int CHANNEL = 3;
    private static final String TRACE = "com.amazonaws.xray.traceHeader";
    private static final String BAD_CODE = "Runtime.BadFunctionCode";
    private static final int BAD_HOOK_STATUS = 64;

    /** Tells the library {@code org.crac} to which package it has to pass resources; as on AWS. */
    private static final String CRAC = "org.crac.Core.Compat";

    private static final String CRAC_PACKAGE = "com.amazonaws.services.lambda.crac";

    private final Channel channel;
    private final Log log;

    private Main(Channel channel, Log log) {
        this.channel = channel;
        this.log = log;
    }

    /**
     * Initialise, then serve calls until the daemon goes. With an argument the process is parked,
     * and gets its variables later.
     */
    public static void main(String[] arguments) throws Exception {
        Channel channel = new Channel(CHANNEL);
        if (arguments.length > 0 && !Parked.becomeFunction(channel)) {
            Runtime.getRuntime().halt(0);
        }
        System.setOut(stream(FileDescriptor.out));
        System.setErr(stream(FileDescriptor.err));
        Main main = new Main(channel, Log.open(System.getenv()));
        LambdaRuntimeInternal.provideLogger(main.log);
        if (System.getProperty(CRAC) == null) {
            System.setProperty(CRAC, CRAC_PACKAGE);
        }
        Handler handler = main.load();
        if ("snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
            main.waitToBeRestored();
        }
        channel.send(Channel.READY, Collections.emptyMap(), new byte[0]);
        main.serve(handler);
        flush();
        // Threads of the function must not keep the process.
        Runtime.getRuntime().halt(0);
    }

    private static PrintStream stream(FileDescriptor file) throws UnsupportedEncodingException {
        FileOutputStream bytes = new FileOutputStream(file);
        return new PrintStream(new java.io.BufferedOutputStream(bytes, 8192), true, "UTF-8");
    }

    /** The package's classes, then its libraries, then those of its layers; ours come first. */
    private static URLClassLoader loader() throws MalformedURLException {
        String root = System.getenv("LAMBDA_TASK_ROOT");
        String task = root == null ? "/var/task" : root;
        List<URL> places = new ArrayList<>();
        places.add(new File(task + "/").toURI().toURL());
        for (String folder : new String[] {task + "/lib", root() + "/opt/java/lib"}) {
            File[] files = new File(folder).listFiles((in, name) -> name.endsWith(".jar"));
            if (files != null) {
                Arrays.sort(files);
                for (File file : files) {
                    places.add(file.toURI().toURL());
                }
            }
        }
        return new URLClassLoader(places.toArray(new URL[0]), Main.class.getClassLoader());
    }

    /** What stands before paths of the sandbox; empty where it has a root of its own. */
    private static String root() {
        String place = "/var/runtime";
        String shown = System.getenv("LAMBDA_RUNTIME_DIR");
        boolean below = shown != null && shown.endsWith(place);
        return below ? shown.substring(0, shown.length() - place.length()) : "";
    }

    private Handler load() throws IOException {
        try {
            URLClassLoader loader = loader();
            Thread.currentThread().setContextClassLoader(loader);
            String name = System.getenv("_HANDLER");
            return new Handlers(name == null ? "" : name, loader, Serializers.find(loader)).find();
        } catch (Fault fault) {
            if (fault.fatal) {
                throw failInit(fault);
            }
            return (event, context) -> {
                throw fault;
            };
        } catch (Throwable err) {
            throw failInit(new Fault(Fault.messageOf(err), err, true));
        }
    }

    /** End init where a snapshot would be taken, and come back when the process is to serve. */
    private void waitToBeRestored() throws IOException {
        try {
            Core.getGlobalContext().beforeCheckpoint(null);
        } catch (Throwable err) {
            throw failHook(err, "Runtime.BeforeCheckpointError");
        }
        // It may stand for long, and takes as little of the host as it can.
        System.gc();
        flush();
        channel.send(Channel.READY, Collections.emptyMap(), new byte[0]);
        if (channel.receiveVariables() == null) {
            Runtime.getRuntime().halt(0);
        }
        try {
            Core.getGlobalContext().afterRestore(null);
        } catch (Throwable err) {
            throw failHook(err, "Runtime.AfterRestoreError");
        }
        flush();
    }

    private IOException failHook(Throwable err, String type) throws IOException {
        Fault.cut(err);
        return fail(type, Fault.reportOf(err), Fault.documentOf(err), BAD_HOOK_STATUS);
    }

    private IOException failInit(Fault fault) throws IOException {
        String type = fault.type == null ? BAD_CODE : fault.type;
        return fail(type, fault.report(), fault.document(), 1);
    }

    /** Tell the daemon why there will be no calls, and end the process. */
    private IOException fail(String type, String report, Map<String, Object> document, int status)
            throws IOException {
        log.error(report);
        channel.send(Channel.INIT_ERROR, Collections.singletonMap("type", type), bytes(document));
        flush();
        // Not exit: threads and hooks of the broken class would keep the process.
        Runtime.getRuntime().halt(status);
        return new IOException("the process has ended");
    }

    private void serve(Handler handler) throws IOException {
        while (true) {
            Channel.Call call = channel.receive();
            if (call == null || !answer(handler, call)) {
                return;
            }
        }
    }

    /** Run one call to its end. Answers whether the process can go on. */
    private boolean answer(Handler handler, Channel.Call call) throws IOException {
        Object trace = call.header.get("trace");
        if (trace != null) {
            System.setProperty(TRACE, (String) trace);
        } else {
            System.clearProperty(TRACE);
        }
        byte[] result;
        try {
            CallContext context = new CallContext(call.header, log);
            log.entered(context);
            result = handler.call(call.event, context);
        } catch (Fault fault) {
            String type = fault.type == null ? BAD_CODE : fault.type;
            fail(call, type, fault.document(), fault.report(), false);
            return true;
        } catch (Throwable err) {
            Fault.cut(err);
            boolean last = err instanceof VirtualMachineError || err instanceof IOError;
            String type = err.getClass().getName();
            fail(call, type, Fault.documentOf(err), Fault.reportOf(err), last);
            return !last;
        } finally {
            // What the function left behind must not disturb the next call.
            Thread.interrupted();
        }
        flush();
        channel.send(Channel.RESPONSE, id(call), result);
        return true;
    }

    private void fail(
            Channel.Call call,
            String type,
            Map<String, Object> document,
            String report,
            boolean last)
            throws IOException {
        log.error(report);
        flush();
        Map<String, Object> header = new java.util.LinkedHashMap<>(id(call));
        header.put("type", type);
        if (last) {
            header.put("last", true);
        }
        channel.send(Channel.ERROR, header, bytes(document));
    }

    private static Map<String, Object> id(Channel.Call call) {
        return Collections.singletonMap("id", call.header.get("id"));
    }

    /** Write out what was printed; a function may have put streams of its own in their place. */
    private static void flush() {
        try {
            System.out.flush();
            System.err.flush();
        } catch (RuntimeException broken) {
            return;
        }
    }

    private static byte[] bytes(Map<String, Object> document) {
        return Json.text(document).getBytes(StandardCharsets.UTF_8);
    }
}
