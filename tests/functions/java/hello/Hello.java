import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.LinkedHashMap;
import java.util.Map;

public class Hello implements RequestHandler<Map<String, String>, Map<String, String>> {
    @Override
    public Map<String, String> handleRequest(Map<String, String> event, Context context) {
        Map<String, String> answer = new LinkedHashMap<>();
        answer.put("message", "Hello, " + event.get("name"));
        answer.put("request", context.getAwsRequestId());
        return answer;
    }
}
