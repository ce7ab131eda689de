// Command makesources makes the media of package sources in a folder, for the
// browser's tests, and prints a JSON line about each: its name, path and what the
// table says of it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/vitascope/vitascope/transcode/internal/sources"
)

// made is a line of output.
type made struct {
	sources.Source
	Path string `json:"path"`
}

func main() {
	all := flag.Bool("all", false, "make all of them, not only those played in each run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *all); err != nil {
		fmt.Fprintln(os.Stderr, "makesources: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, all bool) error {
	table, err := sources.All()
	if err != nil {
		return err
	}
	lines := make([][]byte, len(table))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i, s := range table {
		if !s.Play && !all {
			continue
		}
		group.Go(func() error {
			own := filepath.Join(dir, strconv.Itoa(i))
			if err := os.MkdirAll(own, 0o700); err != nil {
				return err
			}
			path, err := s.Make(ctx, own)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			lines[i], err = json.Marshal(made{s, path})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, line := range lines {
		if line != nil {
			fmt.Println(string(line))
		}
	}
	return nil
}
