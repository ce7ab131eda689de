// Vitascope-media does one media job for a Vitascope server and ends: see
// package transcode/child for the protocol. It is started by the server, not
// by people, and is the only program of Vitascope that is linked with FFmpeg.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/vitascope/vitascope/transcode/av"
	"github.com/vitascope/vitascope/transcode/child"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vitascope-media:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 {
		return fmt.Errorf("takes no arguments: it is started by vitascope")
	}
	input := child.InputSocket()
	defer input.Close()
	session, ctx, err := child.OpenSession(context.Background(), os.Stdin, os.Stdout, input)
	if err != nil {
		return err
	}
	return av.Run(ctx, session)
}
