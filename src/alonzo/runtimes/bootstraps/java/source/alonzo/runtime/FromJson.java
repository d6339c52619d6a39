package alonzo.runtime;

import alonzo.runtime.Json.JsonException;
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
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Makes objects of a wanted type out of plain values, the way AWS's serializer does.
 *
 * <p>Unknown members and unknown names of enums are passed over; numbers, booleans and text are
 * taken for each other where that makes sense. Classes of AWS's events library are met half way:
 * their names are compared without case, and those without a constructor for it are filled as well.
 */
final class FromJson {
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private FromJson() {}

    static Object make(Type type, Object value) {
        return make(type, value, Collections.emptyMap());
    }

    /** {@code known}: what the type variables of the surrounding class stand for. */
    private static Object make(Type type, Object value, Map<Type, Type> known) {
        if (type instanceof TypeVariable && known.containsKey(type)) {
            return make(known.get(type), value, Collections.emptyMap());
        }
        Class<?> raw = Types.raw(type);
        if (value == null) {
            return raw == Optional.class ? Optional.empty() : raw.isPrimitive() ? Scalars.zero(raw) : null;
        }
        if (raw == Object.class || raw == java.io.Serializable.class) {
            return Scalars.natural(value);
        }
        if (raw == String.class || raw == CharSequence.class) {
            return Scalars.text(value, raw);
        }
        if (raw.isPrimitive() || Number.class.isAssignableFrom(raw) || raw == Boolean.class
                || raw == Character.class) {
            return Scalars.primitive(raw, value);
        }
        if (raw.isEnum()) {
            return Scalars.constant(raw, value);
        }
        if (raw == Optional.class) {
            return Optional.ofNullable(make(argument(raw, Optional.class, type, 0), value, known));
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(raw, type, members(value, raw), known);
        }
        if (Iterable.class == raw || Collection.class.isAssignableFrom(raw)) {
            return collection(raw, type, value, known);
        }
        if (raw.isArray()) {
            return array(raw, type, value, known);
        }
        return object(raw, type, value, known);
    }

    private static Object object(Class<?> raw, Type type, Object value, Map<Type, Type> known) {
        if (value instanceof List) {
            // As AWS's serializer does: nothing for an empty list, its element for a list of one.
            List<?> list = (List<?>) value;
            if (list.size() > 1) {
                throw Scalars.mismatch(raw, value);
            }
            return list.isEmpty() ? null : make(type, list.get(0), known);
        }
        if (value instanceof Map) {
            return bean(raw, type, (Map<?, ?>) value);
        }
        return Scalars.scalar(raw, value);
    }

    private static Type argument(Class<?> raw, Class<?> generic, Type type, int index) {
        Type[] arguments = Types.argumentsOf(generic, type);
        return arguments == null ? Object.class : arguments[index];
    }

    private static Map<?, ?> members(Object value, Class<?> raw) {
        if (!(value instanceof Map)) {
            throw Scalars.mismatch(raw, value);
        }
        return (Map<?, ?>) value;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object map(Class<?> raw, Type type, Map<?, ?> members, Map<Type, Type> known) {
        Type keys = argument(raw, Map.class, type, 0);
        Type values = argument(raw, Map.class, type, 1);
        Map<Object, Object> map;
        if (raw == java.util.EnumMap.class) {
            map = (Map) new java.util.EnumMap(Types.raw(keys));
        } else if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            map = SortedMap.class.isAssignableFrom(raw) ? new TreeMap<>() : new LinkedHashMap<>();
        } else {
            map = (Map<Object, Object>) construct(raw);
        }
        for (Entry<?, ?> entry : members.entrySet()) {
            map.put(key(keys, entry.getKey(), known), make(values, entry.getValue(), known));
        }
        return map;
    }

    private static Object key(Type type, Object name, Map<Type, Type> known) {
        Class<?> raw = Types.raw(type instanceof TypeVariable ? known.getOrDefault(type, type) : type);
        return raw == Object.class ? name : make(raw, name);
    }

    @SuppressWarnings("unchecked")
    private static Object collection(Class<?> raw, Type type, Object value, Map<Type, Type> known) {
        Collection<Object> made;
        if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            made = standardCollection(raw);
        } else {
            made = (Collection<Object>) construct(raw);
        }
        Type element = argument(raw, Iterable.class, type, 0);
        for (Object each : list(value)) {
            made.add(make(element, each, known));
        }
        return made;
    }

    private static Collection<Object> standardCollection(Class<?> raw) {
        if (SortedSet.class.isAssignableFrom(raw)) {
            return new TreeSet<>();
        }
        if (Set.class.isAssignableFrom(raw)) {
            return new HashSet<>();
        }
        boolean queue = Queue.class.isAssignableFrom(raw) || Deque.class.isAssignableFrom(raw);
        return queue ? new ArrayDeque<>() : new ArrayList<>();
    }

    /** A value that is no list counts as a list of one. */
    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Collections.singletonList(value);
    }

    private static Object array(Class<?> raw, Type type, Object value, Map<Type, Type> known) {
        Class<?> component = raw.getComponentType();
        if (component == byte.class && value instanceof String) {
            return Base64.getDecoder().decode((String) value);
        }
        if (component == char.class && value instanceof String) {
            return ((String) value).toCharArray();
        }
        Type element =
                type instanceof GenericArrayType
                        ? ((GenericArrayType) type).getGenericComponentType()
                        : component;
        List<?> list = list(value);
        Object array = Array.newInstance(component, list.size());
        for (int index = 0; index < list.size(); index++) {
            Array.set(array, index, make(element, list.get(index), known));
        }
        return array;
    }

    private static Object construct(Class<?> raw) {
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (InvocationTargetException err) {
            throw new JsonException(String.valueOf(err.getCause().getMessage()), err.getCause());
        } catch (ReflectiveOperationException | RuntimeException err) {
            throw new JsonException(
                    "Cannot construct instance of " + raw.getName() + ": it has no constructor without"
                            + " arguments",
                    err);
        }
    }

    private static Object bean(Class<?> raw, Type type, Map<?, ?> members) {
        Map<Type, Type> known = new HashMap<>();
        if (type instanceof ParameterizedType) {
            Type[] actual = ((ParameterizedType) type).getActualTypeArguments();
            for (int index = 0; index < actual.length; index++) {
                known.put(raw.getTypeParameters()[index], actual[index]);
            }
        }
        if (Types.isRecord(raw)) {
            return record(raw, members, known);
        }
        boolean event = raw.getName().startsWith(EVENTS);
        Object bean = event && !hasPlainConstructor(raw) ? allocate(raw) : construct(raw);
        Map<String, Bean.Property> properties = Bean.of(raw).properties;
        for (Entry<?, ?> entry : members.entrySet()) {
            String name = (String) entry.getKey();
            Bean.Property property = properties.get(name);
            if (property == null && event) {
                property = alike(properties, name);
            }
            if (property != null && (property.setter != null || property.field != null)) {
                set(bean, property, entry.getValue(), known, event);
            } else if (event) {
                fill(bean, name, entry.getValue());
            }
        }
        return bean;
    }

    private static void set(
            Object bean, Bean.Property property, Object value, Map<Type, Type> known, boolean event) {
        try {
            if (property.setter != null) {
                Method setter = property.setter;
                Type wanted = setter.getGenericParameterTypes()[0];
                // AWS's events carry times in seconds.
                boolean time = event && wanted == Date.class && value instanceof Number;
                setter.invoke(bean, time ? Scalars.date(value, 1000) : make(wanted, value, known));
            } else if (property.field != null
                    && !Modifier.isFinal(property.field.getModifiers())) {
                property.field.set(bean, make(property.field.getGenericType(), value, known));
            }
        } catch (InvocationTargetException err) {
            throw new JsonException(String.valueOf(err.getCause().getMessage()), err.getCause());
        } catch (ReflectiveOperationException err) {
            throw new JsonException(String.valueOf(err.getMessage()), err);
        }
    }

    private static Object record(Class<?> raw, Map<?, ?> members, Map<Type, Type> known) {
        Field[] components = Types.components(raw);
        Class<?>[] types = new Class<?>[components.length];
        Object[] values = new Object[components.length];
        for (int index = 0; index < components.length; index++) {
            types[index] = components[index].getType();
            Object member = members.get(components[index].getName());
            values[index] = make(components[index].getGenericType(), member, known);
        }
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException err) {
            throw new JsonException(String.valueOf(err.getCause().getMessage()), err.getCause());
        } catch (ReflectiveOperationException err) {
            throw new JsonException(String.valueOf(err.getMessage()), err);
        }
    }

    private static boolean hasPlainConstructor(Class<?> raw) {
        for (Constructor<?> constructor : raw.getDeclaredConstructors()) {
            if (constructor.getParameterCount() == 0) {
                return true;
            }
        }
        return false;
    }

    /** An event whose class can only be made whole: it is made empty. */
    private static Object allocate(Class<?> raw) {
        try {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field instance = unsafe.getDeclaredField("theUnsafe");
            instance.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(instance.get(null), raw);
        } catch (ReflectiveOperationException err) {
            throw new JsonException(String.valueOf(err.getMessage()), err);
        }
    }

    /** Set the field behind a property of an event that has no setter. */
    private static void fill(Object bean, String name, Object value) {
        for (Class<?> type = bean.getClass(); type != Object.class; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                boolean own = !Modifier.isStatic(field.getModifiers());
                if (own && isAlike(field.getName(), name)) {
                    try {
                        field.setAccessible(true);
                        field.set(bean, make(field.getGenericType(), value));
                    } catch (IllegalAccessException err) {
                        throw new JsonException(String.valueOf(err.getMessage()), err);
                    }
                    return;
                }
            }
        }
    }

    private static Bean.Property alike(Map<String, Bean.Property> properties, String name) {
        for (Bean.Property property : properties.values()) {
            if (isAlike(property.name, name)) {
                return property;
            }
        }
        return null;
    }

    /** Also the attribute {@code NULL} of a value in DynamoDB, which is {@code NULLValue} in Java. */
    private static boolean isAlike(String inJava, String inJson) {
        String plain = inJson.replace("-", "");
        return inJava.equalsIgnoreCase(plain) || inJava.equalsIgnoreCase(plain + "Value");
    }
}
