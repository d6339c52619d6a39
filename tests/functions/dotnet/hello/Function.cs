using System.Collections.Generic;
using Amazon.Lambda.Core;

public class Function
{
    public Dictionary<string, string> Handler(Dictionary<string, string> input, ILambdaContext context)
    {
        return new Dictionary<string, string>
        {
            ["message"] = "Hello, " + input["name"],
            ["request"] = context.AwsRequestId,
        };
    }
}
