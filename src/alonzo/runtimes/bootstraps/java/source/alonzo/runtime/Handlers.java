package alonzo.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Finds a handler by its name: {@code package.Class}, of one of AWS's two interfaces, or {@code
 * package.Class::method}. The order among overloads and the texts are those of AWS's client.
 */
final class Handlers {
    private static final byte[] NULL = "null".getBytes(StandardCharsets.UTF_8);

    private final String name;
    private final ClassLoader loader;
    private final Serializers serializers;

    Handlers(String name, ClassLoader loader, Serializers serializers) {
        this.name = name;
        this.loader = loader;
        this.serializers = serializers;
    }

    /**
     * The handler.
     *
     * @throws Fault there is none; one that is not fatal is the answer to every call
     */
    Handler find() {
        int colons = name.lastIndexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        String method = colons < 0 ? null : name.substring(colons + 2);
        if (className.isEmpty() || method != null && method.isEmpty()) {
            throw new Fault("Invalid handler: `" + name + "'", null, false);
        }
        Class<?> type = load(className);
        try {
            return method == null ? ofInterface(type) : ofMethod(type, method);
        } catch (InvocationTargetException err) {
            Throwable cause = err.getCause();
            throw new Fault(Fault.messageOf(cause), cause, true);
        } catch (InstantiationException | IllegalAccessException err) {
            throw new Fault(Fault.messageOf(err), err, false);
        } catch (NoClassDefFoundError err) {
            String where = method == null ? "class " : "method " + method + " on class ";
            throw new Fault("Error loading " + where + className, err, false);
        }
    }

    private Class<?> load(String className) {
        try {
            return Class.forName(className, true, loader);
        } catch (ClassNotFoundException err) {
            throw new Fault("Class not found: " + className, err, false);
        } catch (Throwable err) {
            String detail = err.getMessage() == null ? "" : ": " + err.getMessage();
            throw new Fault("Error loading class " + className + detail, err, true);
        }
    }

    private static Object construct(Class<?> type)
            throws InvocationTargetException, InstantiationException, IllegalAccessException {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException err) {
            boolean inner =
                    type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            String why =
                    inner
                            ? " cannot be instantiated because it is a non-static inner class"
                            : " has no public zero-argument constructor";
            Exception said = new Exception("Class " + type.getName() + why, err);
            throw new Fault(said.getMessage(), said, false);
        }
        return constructor.newInstance();
    }

    // Handlers that implement an interface

    @SuppressWarnings("unchecked")
    private Handler ofInterface(Class<?> type)
            throws InvocationTargetException, InstantiationException, IllegalAccessException {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            RequestStreamHandler handler = (RequestStreamHandler) construct(type);
            return (event, context) -> {
                ByteArrayOutputStream output = new ByteArrayOutputStream(1024);
                handler.handleRequest(new ByteArrayInputStream(event), output, context);
                return output.toByteArray();
            };
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            throw new Fault(
                    "Class does not implement an appropriate handler interface: " + type.getName(),
                    null,
                    false);
        }
        Type[] types = typesOf(type);
        RequestHandler<Object, Object> handler = (RequestHandler<Object, Object>) construct(type);
        return objects(types[0], types[1], handler::handleRequest);
    }

    private static Type[] typesOf(Class<?> type) {
        Type[] types = Types.argumentsOf(RequestHandler.class, type);
        String wrong =
                "Class " + type.getName()
                        + " does not implement RequestHandler with concrete type parameters";
        if (types == null) {
            throw new Fault(wrong, null, false);
        }
        for (Type each : types) {
            boolean open = each instanceof TypeVariable;
            if (open && Types.raw(each) == Object.class) {
                throw new Fault(
                        wrong + ": parameter " + each + " has no upper bound.", null, false);
            }
        }
        return types;
    }

    /** What is called with an object. */
    private interface OnObject {
        Object call(Object input, Context context) throws Throwable;
    }

    /** {@code input}: null, if there is none. */
    private Handler objects(Type input, Type result, OnObject handler) {
        boolean nothing = result == void.class || result == Void.class;
        return (event, context) -> {
            Object read = input == null ? null : serializers.read(event, input);
            Object answer = handler.call(read, context);
            return nothing ? NULL : serializers.write(answer, result);
        };
    }

    // Handlers that are plain methods

    private Handler ofMethod(Class<?> type, String method)
            throws InvocationTargetException, InstantiationException, IllegalAccessException {
        List<Method> overloads = new ArrayList<>();
        for (Method each : type.getMethods()) {
            if (each.getName().equals(method)) {
                overloads.add(each);
            }
        }
        overloads.sort((a, b) -> {
            int bridges = Boolean.compare(a.isBridge(), b.isBridge());
            return bridges != 0 ? bridges : weight(b) - weight(a);
        });
        for (Method each : overloads) {
            if (fits(each.getParameterTypes())) {
                Object owner = Modifier.isStatic(each.getModifiers()) ? null : construct(type);
                return ofMethod(each, owner);
            }
        }
        throw new Fault(
                "No public method named " + method
                        + " with appropriate method signature found on class " + type.getName(),
                null,
                false);
    }

    /** A context at the end counts as one more. */
    private static int weight(Method method) {
        Class<?>[] types = method.getParameterTypes();
        boolean context = types.length > 0 && types[types.length - 1] == Context.class;
        return types.length + (context ? 1 : 0);
    }

    private static boolean fits(Class<?>[] types) {
        switch (types.length) {
            case 0:
            case 1:
                return true;
            case 2:
                boolean streams = types[0] == InputStream.class && types[1] == OutputStream.class;
                return streams || types[0] != Context.class && types[1] == Context.class;
            case 3:
                return Arrays.equals(
                        types, new Class<?>[] {InputStream.class, OutputStream.class, Context.class});
            default:
                return false;
        }
    }

    private Handler ofMethod(Method method, Object owner) {
        Class<?>[] types = method.getParameterTypes();
        method.setAccessible(true);
        for (Class<?> type : types) {
            if (type == InputStream.class || type == OutputStream.class) {
                return streams(method, owner);
            }
        }
        boolean hasInput = types.length > 0 && types[0] != Context.class;
        boolean hasContext = types.length > 0 && types[types.length - 1] == Context.class;
        Type input = hasInput ? method.getGenericParameterTypes()[0] : null;
        return objects(input, method.getGenericReturnType(), (read, context) -> {
            Object[] arguments = new Object[types.length];
            if (hasInput) {
                arguments[0] = read;
            }
            if (hasContext) {
                arguments[types.length - 1] = context;
            }
            return invoke(method, owner, arguments);
        });
    }

    private static Handler streams(Method method, Object owner) {
        Class<?>[] types = method.getParameterTypes();
        return (event, context) -> {
            ByteArrayOutputStream output = new ByteArrayOutputStream(1024);
            Object[] arguments = new Object[types.length];
            for (int index = 0; index < types.length; index++) {
                if (types[index] == InputStream.class) {
                    arguments[index] = new ByteArrayInputStream(event);
                } else {
                    arguments[index] = types[index] == OutputStream.class ? output : context;
                }
            }
            invoke(method, owner, arguments);
            return output.toByteArray();
        };
    }

    private static Object invoke(Method method, Object owner, Object[] arguments) throws Throwable {
        try {
            return method.invoke(owner, arguments);
        } catch (InvocationTargetException err) {
            throw err.getCause();
        }
    }
}
