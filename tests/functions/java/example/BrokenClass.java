package example;

/** Cannot even be loaded. */
public class BrokenClass {
    static final int VALUE = Integer.parseInt("none");

    public static int handler() {
        return VALUE;
    }
}
