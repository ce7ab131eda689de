// Command vitascope is the whole product in one program: "vitascope serve" runs
// it, the other commands talk to a running one or look after its data.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/vitascope/vitascope/deploy/engines"
)

func main() {
	engines.MaybeRunChild()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	err := newRoot().ExecuteContext(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "vitascope: "+err.Error())
		os.Exit(1)
	}
}
