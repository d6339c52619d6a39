package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

/** Returns what it is given. */
public class Echo implements RequestHandler<Object, Object> {
    @Override
    public Object handleRequest(Object event, Context context) {
        return event;
    }
}
