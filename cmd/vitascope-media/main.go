// Vitascope-media does one media job for a Vitascope server and ends: see
// package transcode/child for the protocol. It is started by the server, not
// by people, and is the only program of Vitascope that is linked with FFmpeg.
// When main runs, package confine has restricted the process.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/vitascope/vitascope/transcode/av"
	"github.com/vitascope/vitascope/transcode/child"
	"github.com/vitascope/vitascope/transcode/confine"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vitascope-media:", err)
		os.Exit(1)
	}
}

func run() error {
	if !confine.Asked() {
		return errors.New("is started by vitascope, not by people")
	}
	input := child.InputSocket()
	defer input.Close()
	session, ctx, err := child.OpenSession(context.Background(), os.Stdin, os.Stdout, input)
	if err != nil {
		return err
	}
	if session.Job().Op == child.OpSelfTest {
		return child.TryToEscape(session, confine.State())
	}
	return av.Run(ctx, session)
}
