using System.Threading.Tasks;

public class Function
{
    public Task Handler() => Task.Delay(60_000);
}
