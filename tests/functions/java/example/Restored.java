package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** A function with SnapStart. It registers its hooks as the library {@code org.crac} does. */
public class Restored implements RequestHandler<Object, Map<String, Object>> {
    private static final String ID = UUID.randomUUID().toString();
    private static final List<String> ORDER = new ArrayList<>();

    static {
        System.out.println("initialised " + ID);
        register("1");
        register("2");
    }

    private static void register(String name) {
        try {
            String crac = System.getProperty("org.crac.Core.Compat");
            Class<?> resource = Class.forName(crac + ".Resource");
            Object hook = Proxy.newProxyInstance(
                    Restored.class.getClassLoader(),
                    new Class<?>[] {resource},
                    (proxy, method, arguments) -> called(method.getName(), name));
            Object context = Class.forName(crac + ".Core").getMethod("getGlobalContext").invoke(null);
            Method register =
                    Class.forName(crac + ".Context").getMethod("register", resource);
            register.invoke(context, hook);
        } catch (ReflectiveOperationException err) {
            throw new IllegalStateException(err);
        }
    }

    private static Object called(String method, String name) {
        ORDER.add(method + " " + name);
        if ((method + " " + name).equals(System.getenv("FAILS"))) {
            throw new IllegalStateException(name + " was told to fail");
        }
        return null;
    }

    @Override
    public Map<String, Object> handleRequest(Object event, Context context) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("id", ID);
        answer.put("order", ORDER);
        answer.put("stream", context.getLogStreamName());
        answer.put("type", System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
        answer.put("key", System.getenv("AWS_ACCESS_KEY_ID"));
        answer.put("credentials", System.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        return answer;
    }
}
