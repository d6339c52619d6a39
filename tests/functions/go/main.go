// Functions on AWS's client for Go; the handler's name says which.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Event is what every handler takes.
type Event struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// OutOfCheese is an error with a name of its own.
type OutOfCheese struct{ reason string }

func (e *OutOfCheese) Error() string { return e.reason }

func hello(ctx context.Context, event Event) (map[string]any, error) {
	call, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	fmt.Println("hello from Go")
	return map[string]any{
		"hello": event.Name, "id": call.AwsRequestID, "arn": call.InvokedFunctionArn,
		"function": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB,
		"remaining_ms": time.Until(deadline).Milliseconds(),
	}, nil
}

func fail(event Event) error {
	switch event.Name {
	case "panic":
		panic("out of the blue")
	case "plain":
		return errors.New("plain")
	}
	return &OutOfCheese{"redo from start"}
}

func sleep(event Event) (string, error) {
	time.Sleep(time.Duration(event.Seconds * float64(time.Second)))
	return "awake", nil
}

func stream(event Event) (io.Reader, error) {
	reader, writer := io.Pipe()
	go func() {
		for range 3 {
			fmt.Fprint(writer, strings.Repeat(event.Name, 1000))
			time.Sleep(10 * time.Millisecond)
		}
		if event.Seconds < 0 {
			writer.CloseWithError(&OutOfCheese{"redo from start"})
		}
		writer.Close()
	}()
	return reader, nil
}

func main() {
	handlers := map[string]any{"hello": hello, "fail": fail, "sleep": sleep, "stream": stream}
	lambda.Start(handlers[os.Getenv("_HANDLER")])
}
