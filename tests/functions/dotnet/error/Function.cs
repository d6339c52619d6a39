using System;
using System.Collections.Generic;

public class OutOfStock : Exception
{
    public OutOfStock(string message) : base(message) { }
}

public class Function
{
    public void Handler(Dictionary<string, string> input) => throw new OutOfStock(input["message"]);
}
