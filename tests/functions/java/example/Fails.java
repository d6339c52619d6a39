package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** Fails in every way that there is. */
public class Fails implements RequestHandler<Map<String, String>, Object> {
    /** Out of cheese. */
    public static class OutOfCheese extends RuntimeException {
        OutOfCheese(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Has no text to give. */
    public static class Stubborn extends RuntimeException {
        @Override
        public String getMessage() {
            throw new IllegalStateException("no message");
        }
    }

    /** Holds itself. */
    public static class Loop {
        public Loop me = this;
    }

    @Override
    public Object handleRequest(Map<String, String> event, Context context) {
        String how = event.get("how");
        switch (how) {
            case "raise":
                return check(event.get("message"));
            case "loop":
                return new Loop();
            case "stubborn":
                throw new Stubborn();
            case "deep":
                return deep(1);
            case "memory":
                return new long[Integer.MAX_VALUE / 2][1000];
            case "exit":
                System.exit(7);
                return null;
            case "interrupt":
                Thread.currentThread().interrupt();
                return "interrupted";
            case "threads":
                new Thread(() -> sleep(100_000)).start();
                return "left one";
            case "getter":
                return new Object() {
                    public String getIt() {
                        throw new IllegalStateException("not now");
                    }
                };
            default:
                sleep(Long.parseLong(how));
                return "awake";
        }
    }

    private static Object check(String message) {
        throw new OutOfCheese(message, new IllegalArgumentException("the cause"));
    }

    private static int deep(int n) {
        return deep(n + 1) + 1;
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException err) {
            throw new IllegalStateException(err);
        }
    }
}
