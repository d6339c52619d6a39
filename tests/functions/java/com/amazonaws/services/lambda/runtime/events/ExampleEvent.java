package com.amazonaws.services.lambda.runtime.events;

import java.nio.ByteBuffer;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** In the place, and with the peculiarities, of the classes in AWS's events library. */
public class ExampleEvent {
    private List<Record> records;

    public List<Record> getRecords() {
        return records;
    }

    /** Can only be made whole. */
    public static class Record {
        private final String eventSourceArn;
        private final int size;

        public Record(String eventSourceArn, int size, Date time) {
            this.eventSourceArn = eventSourceArn;
            this.size = size;
        }

        public Times times;

        public String text() {
            return eventSourceArn + " " + size + " " + times;
        }
    }

    /** Names that JSON writes otherwise, and times in seconds. */
    public static class Times {
        private Date approximateTime;
        private String detailType;
        private Boolean NULLValue;
        private Map<String, ByteBuffer> image;

        public void setApproximateTime(Date value) {
            approximateTime = value;
        }

        public void setDetailType(String value) {
            detailType = value;
        }

        public void setNULLValue(Boolean value) {
            NULLValue = value;
        }

        public void setImage(Map<String, ByteBuffer> value) {
            image = value;
        }

        @Override
        public String toString() {
            return approximateTime.getTime() + " " + detailType + " " + NULLValue + " "
                    + image.get("a").remaining();
        }
    }

    public static String handler(ExampleEvent event) {
        return event.getRecords().get(0).text();
    }
}
