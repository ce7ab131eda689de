package catalog

import (
	"database/sql"
	"errors"
	"fmt"
)

// affectedOne turns "no row matched" into ErrConflict, naming what was tried.
func affectedOne(res sql.Result, err error) func(what string) error {
	return func(what string) error {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if n == 0 {
			return fmt.Errorf("%s: %w", what, ErrConflict)
		}
		return nil
	}
}

// asNotFound is for updates whose only condition is that the row exists.
func asNotFound(err error) error {
	if errors.Is(err, ErrConflict) {
		return ErrNotFound
	}
	return err
}
