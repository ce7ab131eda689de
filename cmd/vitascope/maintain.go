package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/analytics/query"
	"github.com/vitascope/vitascope/analytics/replay"
	"github.com/vitascope/vitascope/ingest/uploadcli"
	"github.com/vitascope/vitascope/internal/app"
)

// remote is a running server and who asks it.
type remote struct{ server, token, data string }

// flags adds the flags that say which server and who.
func (r *remote) flags(cmd *cobra.Command) {
	defaults := app.DefaultConfig()
	server := os.Getenv(serverVariable)
	if server == "" {
		server = "http://" + defaults.Listen
	}
	cmd.Flags().StringVar(&r.server, "server", server, "address of the server ("+serverVariable+")")
	cmd.Flags().StringVar(&r.token, "token", "", "API token of an admin ("+tokenVariable+"; default: the one in the data folder)")
	cmd.Flags().StringVar(&r.data, "data", defaults.Data, "data folder of a server on this machine")
}

// post calls an operation of the API.
func (r *remote) post(ctx context.Context, path string, in, out any) error {
	token, err := uploadcli.FindToken(r.token, os.Getenv(tokenVariable), r.data)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(r.server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var problem struct{ Title, Detail string }
		_ = json.Unmarshal(raw, &problem) // what is no problem document has neither
		return fmt.Errorf("the server answered %s: %s %s", res.Status, problem.Title, problem.Detail)
	}
	return json.Unmarshal(raw, out)
}

// newWarehouse repairs and compares the tables that follow from the raw events.
func newWarehouse() *cobra.Command {
	cmd := &cobra.Command{Use: "warehouse", Short: "Compare and repair the analytics tables of a running server"}
	scoped := func(use, short string, run func(cmd *cobra.Command, r *remote, scope query.Scope) error) {
		var r remote
		var scope query.Scope
		c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, &r, scope) }}
		r.flags(c)
		c.Flags().StringVar(&scope.MediaID, "media", "", "only this media")
		c.Flags().StringVar(&scope.Day, "day", "", "only views opened on this day (UTC), as 2006-01-02")
		cmd.AddCommand(c)
	}
	scoped("rebuild", "Make views, heatmaps and figures anew from the raw events", func(cmd *cobra.Command, r *remote, scope query.Scope) error {
		var done query.RebuildResult
		if err := r.post(cmd.Context(), "/v1/stats/rebuilds", scope, &done); err != nil {
			return err
		}
		for _, id := range done.MediaIDs {
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d media rebuilt\n", len(done.MediaIDs))
		return nil
	})
	scoped("verify", "Compare views, heatmaps and figures with the raw events; fails when they differ", func(cmd *cobra.Command, r *remote, scope query.Scope) error {
		var found query.VerificationResult
		if err := r.post(cmd.Context(), "/v1/stats/verifications", scope, &found); err != nil {
			return err
		}
		for _, d := range found.Differences {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%d rows differ\n", d.MediaID, d.Table, d.Rows)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d media compared\n", found.Media)
		if len(found.Differences) > 0 {
			return errors.New("some tables do not follow from the events; run: vitascope warehouse rebuild")
		}
		return nil
	})
	return cmd
}

// newEvents looks after beacons that were refused.
func newEvents() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Look after viewing events"}
	var r remote
	var in replay.Input
	again := &cobra.Command{
		Use: "replay", Short: "Count beacons that were refused and can be read now; running it again changes nothing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out replay.Result
			if err := r.post(cmd.Context(), "/v1/stats/replays", in, &out); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d recovered\n", out.Recovered)
			for _, reason := range slices.Sorted(maps.Keys(out.Refused)) {
				fmt.Fprintf(cmd.OutOrStdout(), "%d still refused: %s\n", out.Refused[reason], reason)
			}
			return nil
		},
	}
	r.flags(again)
	again.Flags().BoolVar(&in.DryRun, "dry-run", false, "only count")
	cmd.AddCommand(again)
	return cmd
}
