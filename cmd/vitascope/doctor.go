package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vitascope/vitascope/internal/app"
)

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine and the configured engines need, and say how to mend it",
		Args:  cobra.NoArgs,
	}
	load := configured(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		sick := 0
		for _, f := range app.Examine(cmd.Context(), cfg) {
			mark := "ok  "
			if f.Err != nil {
				mark = "FAIL"
				sick++
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s", mark, f.What)
			if f.Err != nil {
				fmt.Fprintf(cmd.OutOrStdout(), ": %v\n      %s", f.Err, f.Mend)
			}
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if sick > 0 {
			return errors.New("not everything is well")
		}
		return nil
	}
	return cmd
}
