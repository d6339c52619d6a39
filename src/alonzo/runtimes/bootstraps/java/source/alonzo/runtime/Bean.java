package alonzo.runtime;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Map.Entry;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class: public getters and setters and public fields, as AWS's serializer sees
 * them. Properties that have a field come first, in the order of the fields.
 */
final class Bean {
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<>();

    /** One property. Each part may be missing. */
    static final class Property {
        final String name;
        Method getter;
        Method setter;
        Field field;

        Property(String name) {
            this.name = name;
        }

        Object get(Object owner) throws ReflectiveOperationException {
            return getter != null ? getter.invoke(owner) : field.get(owner);
        }
    }

    final Map<String, Property> properties = new LinkedHashMap<>();

    static Bean of(Class<?> type) {
        Bean bean = KNOWN.get(type);
        if (bean == null) {
            bean = new Bean(type);
            KNOWN.put(type, bean);
        }
        return bean;
    }

    private Bean(Class<?> type) {
        Map<String, Field> fields = new LinkedHashMap<>();
        collectFields(type, fields);
        fields.keySet().forEach(name -> properties.put(name, new Property(name)));
        for (Entry<String, Field> entry : fields.entrySet()) {
            if (Modifier.isPublic(entry.getValue().getModifiers())) {
                entry.getValue().setAccessible(true);
                properties.get(entry.getKey()).field = entry.getValue();
            }
        }
        for (Method method : recordOrBeanMethods(type)) {
            collectMethod(method, Types.isRecord(type));
        }
        properties.values().removeIf(p -> p.getter == null && p.setter == null && p.field == null);
    }

    private static void collectFields(Class<?> type, Map<String, Field> into) {
        if (type == null || type == Object.class) {
            return;
        }
        collectFields(type.getSuperclass(), into);
        for (Field field : type.getDeclaredFields()) {
            int modifiers = field.getModifiers();
            boolean ours = !Modifier.isStatic(modifiers) && !field.isSynthetic();
            if (ours && !Modifier.isTransient(modifiers)) {
                into.put(field.getName(), field);
            }
        }
    }

    private static Method[] recordOrBeanMethods(Class<?> type) {
        Method[] methods = type.getMethods();
        // The virtual machine gives them in no order; the result must be the same every time.
        Arrays.sort(methods, (a, b) -> a.getName().compareTo(b.getName()));
        return methods;
    }

    private void collectMethod(Method method, boolean record) {
        boolean skipped =
                Modifier.isStatic(method.getModifiers())
                        || method.isBridge()
                        || method.getDeclaringClass() == Object.class;
        if (skipped) {
            return;
        }
        String name = method.getName();
        int arguments = method.getParameterCount();
        Class<?> result = method.getReturnType();
        if (arguments == 1 && name.length() > 3 && name.startsWith("set")) {
            property(decapitalize(name.substring(3))).setter = accessible(method);
        } else if (arguments == 0 && result != void.class) {
            boolean truth = result == boolean.class || result == Boolean.class;
            if (name.length() > 3 && name.startsWith("get")) {
                property(decapitalize(name.substring(3))).getter = accessible(method);
            } else if (truth && name.length() > 2 && name.startsWith("is")) {
                Property property = property(decapitalize(name.substring(2)));
                property.getter = property.getter == null ? accessible(method) : property.getter;
            } else if (record && properties.containsKey(name)) {
                property(name).getter = accessible(method);
            }
        }
    }

    private Property property(String name) {
        return properties.computeIfAbsent(name, Property::new);
    }

    /** As the JavaBeans specification has it: {@code URL} stays, {@code Name} becomes {@code name}. */
    private static String decapitalize(String name) {
        if (name.length() > 1
                && Character.isUpperCase(name.charAt(0))
                && Character.isUpperCase(name.charAt(1))) {
            return name;
        }
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** A public method of a class that is not public can be called as well. */
    private static Method accessible(Method method) {
        try {
            method.setAccessible(true);
        } catch (RuntimeException closedModule) {
            // One of the JDK's own classes: it is public, or calling it says why not.
            return method;
        }
        return method;
    }
}
