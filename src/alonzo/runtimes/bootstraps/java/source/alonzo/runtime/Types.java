package alonzo.runtime;

import alonzo.runtime.Json.JsonException;
import java.io.File;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.net.InetAddress;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Currency;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.UUID;
import java.util.regex.Pattern;

/** What the Java language says of types, and which of the library's are written as text. */
final class Types {
    private static final Class<?>[] AS_TEXT = {
        UUID.class, URI.class, URL.class, Locale.class, Currency.class, File.class, Path.class,
        Charset.class, Pattern.class, TimeZone.class, InetAddress.class,
    };

    private Types() {}

    static boolean isWrittenAsText(Object value) {
        for (Class<?> type : AS_TEXT) {
            if (type.isInstance(value)) {
                return true;
            }
        }
        // The times in AWS's events.
        return value.getClass().getName().startsWith("org.joda.time.");
    }

    static String asText(Object value) {
        if (value instanceof TimeZone) {
            return ((TimeZone) value).getID();
        }
        return value instanceof Enum ? ((Enum<?>) value).name() : String.valueOf(value);
    }


    /** The class behind a type, its bounds taken where it is open. */
    static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return raw(((ParameterizedType) type).getRawType());
        }
        if (type instanceof GenericArrayType) {
            Type component = ((GenericArrayType) type).getGenericComponentType();
            return Array.newInstance(raw(component), 0).getClass();
        }
        if (type instanceof WildcardType) {
            return raw(((WildcardType) type).getUpperBounds()[0]);
        }
        return raw(((TypeVariable<?>) type).getBounds()[0]);
    }

    /** The arguments that {@code type} gives to {@code generic}, which it extends; null: none. */
    static Type[] argumentsOf(Class<?> generic, Type type) {
        return argumentsOf(generic, type, new HashMap<>());
    }

    private static Type[] argumentsOf(Class<?> generic, Type type, Map<Type, Type> known) {
        Class<?> raw = raw(type);
        if (!generic.isAssignableFrom(raw)) {
            return null;
        }
        Map<Type, Type> here = new HashMap<>(known);
        if (type instanceof ParameterizedType) {
            Type[] actual = ((ParameterizedType) type).getActualTypeArguments();
            for (int index = 0; index < actual.length; index++) {
                here.put(raw.getTypeParameters()[index], known.getOrDefault(actual[index], actual[index]));
            }
        }
        if (raw == generic) {
            Type[] variables = raw.getTypeParameters();
            Type[] arguments = Arrays.copyOf(variables, variables.length, Type[].class);
            boolean told = false;
            for (int index = 0; index < arguments.length; index++) {
                told |= here.containsKey(arguments[index]);
                arguments[index] = here.getOrDefault(arguments[index], arguments[index]);
            }
            return told ? arguments : null;
        }
        for (Type parent : raw.getGenericInterfaces()) {
            Type[] found = argumentsOf(generic, parent, here);
            if (found != null) {
                return found;
            }
        }
        Type parent = raw.getGenericSuperclass();
        return parent == null ? null : argumentsOf(generic, parent, here);
    }

    /** Whether it is a record, which only later versions of Java know. */
    static boolean isRecord(Class<?> type) {
        Class<?> parent = type.getSuperclass();
        return parent != null && parent.getName().equals("java.lang.Record");
    }

    /** The components of a record, in order. */
    static Field[] components(Class<?> record) {
        return Arrays.stream(record.getDeclaredFields())
                .filter(field -> !Modifier.isStatic(field.getModifiers()))
                .toArray(Field[]::new);
    }

    /** An object of a library type out of its text: by a factory method, or a constructor. */
    static Object fromText(Class<?> type, String text) {
        try {
            if (Path.class.isAssignableFrom(type)) {
                return new File(text).toPath();
            }
            if (type == Locale.class) {
                return Locale.forLanguageTag(text.replace('_', '-'));
            }
            for (String name : new String[] {"parse", "fromString", "valueOf", "of", "forName",
                "compile", "getInstance", "getTimeZone", "create"}) {
                Method method = factory(type, name);
                if (method != null) {
                    return method.invoke(null, text);
                }
            }
            Constructor<?> constructor = type.getConstructor(String.class);
            return constructor.newInstance(text);
        } catch (InvocationTargetException err) {
            throw new JsonException(type.getName() + ": " + err.getCause().getMessage(), err.getCause());
        } catch (ReflectiveOperationException err) {
            throw new JsonException("Cannot make a " + type.getName() + " from text", err);
        }
    }

    private static Method factory(Class<?> type, String name) {
        for (Class<?> argument : new Class<?>[] {String.class, CharSequence.class}) {
            try {
                Method method = type.getMethod(name, argument);
                boolean fits = type.isAssignableFrom(method.getReturnType());
                if (Modifier.isStatic(method.getModifiers()) && fits) {
                    return method;
                }
            } catch (NoSuchMethodException none) {
                continue;
            }
        }
        return null;
    }
}
