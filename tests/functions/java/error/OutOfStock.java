import java.util.Map;

public class OutOfStock extends Exception {
    private static final long serialVersionUID = 1;

    public OutOfStock(String message) {
        super(message);
    }

    public static void handler(Map<String, String> event) throws OutOfStock {
        throw new OutOfStock(event.get("message"));
    }
}
