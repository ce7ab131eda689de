package engines

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// A table that is not replicated notes the token of an insert before the part it made
// becomes one of the table's: killed in between, the engine takes the repeat of an
// insert that is lost for known (seen with ClickHouse 26.7; MergeTreeSink.cpp,
// commitPart). Before each start those notes are taken back. Both happen under one
// lock, so what was lost has a higher block number than all that is there.
//
// A note is a line of deduplication_logs/deduplication_log_N.txt: 1 for added or 2 for
// dropped, the part's name, what was made of the token.
const (
	noteAdded   = "1"
	noteDropped = "2"
)

var (
	// partName is partition, lowest and highest block, level and mutation.
	partName = regexp.MustCompile(`^[^_]+_(\d+)_(\d+)_\d+(?:_\d+)?$`)
	noteFile = regexp.MustCompile(`^deduplication_log_(\d+)\.txt$`)
)

// mendTokens takes back the notes of lost parts in every table of a data folder which
// no engine has open, and tells how many there were.
func mendTokens(dataDir string) (mended int, err error) {
	folders, err := filepath.Glob(filepath.Join(dataDir, "store", "*", "*", "deduplication_logs"))
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		n, err := mendTable(filepath.Dir(folder), folder)
		if err != nil {
			return mended, fmt.Errorf("mend tokens of %s: %w", filepath.Dir(folder), err)
		}
		mended += n
	}
	return mended, nil
}

func mendTable(table, folder string) (mended int, err error) {
	newest, err := newestBlock(table)
	if err != nil {
		return 0, err
	}
	files, err := noteFiles(folder)
	if err != nil || len(files) == 0 {
		return 0, err
	}
	notes := map[string]string{} // names of parts by token
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		whole := raw[:bytes.LastIndexByte(raw, '\n')+1]
		if len(whole) < len(raw) { // cut off while it was written; its part cannot be there
			if err := os.Truncate(file, int64(len(whole))); err != nil {
				return 0, err
			}
		}
		for line := range bytes.Lines(whole) {
			switch f := bytes.Split(bytes.TrimSpace(line), []byte("\t")); {
			case len(f) != 3: // of another release: better left alone
				return 0, nil
			case string(f[0]) == noteAdded:
				notes[string(f[2])] = string(f[1])
			default:
				delete(notes, string(f[2]))
			}
		}
	}
	var back []byte
	for token, part := range notes {
		if m := partName.FindStringSubmatch(part); m != nil && number(m[1]) > newest {
			back = fmt.Appendf(back, "%s\t%s\t%s\n", noteDropped, part, token)
			mended++
		}
	}
	if mended == 0 {
		return 0, nil
	}
	return mended, appendSynced(files[len(files)-1], back)
}

// newestBlock returns the highest block of a table's parts.
func newestBlock(table string) (newest uint64, err error) {
	entries, err := os.ReadDir(table)
	for _, e := range entries {
		if m := partName.FindStringSubmatch(e.Name()); m != nil {
			newest = max(newest, number(m[2]))
		}
	}
	return newest, err
}

// noteFiles returns the files of notes, oldest first.
func noteFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, e := range entries {
		if noteFile.MatchString(e.Name()) {
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	slices.SortFunc(files, func(a, b string) int {
		return int(number(noteFile.FindStringSubmatch(filepath.Base(a))[1])) - int(number(noteFile.FindStringSubmatch(filepath.Base(b))[1]))
	})
	return files, err
}

// number reads what the pattern found to be digits; more of them than a number has are
// a block that no engine made.
func number(digits string) uint64 {
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}

func appendSynced(file string, more []byte) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(more)
	return errors.Join(err, f.Sync(), f.Close())
}
