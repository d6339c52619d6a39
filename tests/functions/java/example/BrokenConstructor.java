package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

/** Cannot be made. */
public class BrokenConstructor implements RequestHandler<Object, Object> {
    public BrokenConstructor() {
        throw new IllegalStateException("no database");
    }

    @Override
    public Object handleRequest(Object event, Context context) {
        return null;
    }
}
