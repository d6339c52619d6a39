package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Plain methods of many signatures. */
public class Methods {
    private int count;

    public int count() {
        return ++count;
    }

    public static String upper(String text) {
        return text == null ? null : text.toUpperCase();
    }

    public int sum(List<Integer> numbers) {
        int sum = 0;
        for (int number : numbers) {
            sum += number;
        }
        return sum;
    }

    public Map<String, Integer> lengths(Map<String, String> texts, Context context) {
        Map<String, Integer> lengths = new HashMap<>();
        texts.forEach((name, text) -> lengths.put(name, text.length()));
        return lengths;
    }

    public void nothing(String ignored) {}

    public String who(Context context) {
        return context.getFunctionName();
    }

    public long half(long number) {
        return number / 2;
    }

    public String overloaded(String text) {
        return "text";
    }

    public String overloaded(String text, Context context) {
        return "text and context";
    }

    public String unfit(String a, String b) {
        return a + b;
    }

    public Order order(Order order) {
        order.lines.add(new Order.Line("extra", 1));
        order.setTotal(order.getTotal() * 2);
        return order;
    }

    /** Fields, getters, setters, nesting, and members that JSON has no type for. */
    public static class Order {
        private String customer;
        private double total;
        private Colour colour;
        private byte[] seal;
        private java.util.Date placed;
        private java.time.Instant due;
        private boolean paid;
        private String secret = "never shown";
        public List<Line> lines = new ArrayList<>();

        public String getCustomer() {
            return customer;
        }

        public void setCustomer(String value) {
            customer = value;
        }

        public double getTotal() {
            return total;
        }

        public void setTotal(double value) {
            total = value;
        }

        public Colour getColour() {
            return colour;
        }

        public void setColour(Colour value) {
            colour = value;
        }

        public byte[] getSeal() {
            return seal;
        }

        public void setSeal(byte[] value) {
            seal = value;
        }

        public java.util.Date getPlaced() {
            return placed;
        }

        public void setPlaced(java.util.Date value) {
            placed = value;
        }

        public java.time.Instant getDue() {
            return due;
        }

        public void setDue(java.time.Instant value) {
            due = value;
        }

        public boolean isPaid() {
            return paid;
        }

        public void setPaid(boolean value) {
            paid = value;
        }

        public String getURL() {
            return "http://shop/" + customer;
        }

        /** One thing that was ordered. */
        public static class Line {
            public String item;
            public Integer pieces;

            public Line() {}

            Line(String item, int pieces) {
                this.item = item;
                this.pieces = pieces;
            }
        }
    }

    /** A colour. */
    public enum Colour {
        RED,
        GREEN
    }
}
