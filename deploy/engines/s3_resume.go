package engines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

// joining matches the folders of uploads whose parts are being put together, which
// posix renames for that time from id to id.token.inprogress.
const joining = "*/" + posix.MetaTmpMultipartDir + "/*/*.inprogress"

// resumeJoins gives back the uploads whose parts were being put together when the
// process was killed. By their other names they are found no more, and all that was
// uploaded would be lost. It is called before anything is served.
func resumeJoins(objects, sidecar string, attributes meta.MetadataStorer) error {
	for _, root := range []string{objects, sidecar} {
		if root == "" {
			continue
		}
		folders, err := fs.Glob(os.DirFS(root), joining)
		if err != nil {
			return fmt.Errorf("find uploads cut off at their end: %w", err)
		}
		for _, folder := range folders {
			id, _, _ := strings.Cut(path.Base(folder), ".")
			full := filepath.Join(root, folder)
			// Attributes are the object's own; metadata files are there before it.
			if sidecar == "" && joined(attributes, folder, id) {
				err = os.RemoveAll(full)
			} else {
				err = os.Rename(full, filepath.Join(filepath.Dir(full), id))
			}
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("resume an upload cut off at its end: %w", err)
			}
		}
	}
	return nil
}

// joined tells whether the object was made of the upload, and only its folder is left.
func joined(attributes meta.MetadataStorer, folder, id string) bool {
	bucket, rest, _ := strings.Cut(path.Dir(folder), "/")
	key, err := attributes.RetrieveAttribute(nil, bucket, rest, "objname")
	if err != nil {
		return false
	}
	raw, err := attributes.RetrieveAttribute(nil, bucket, string(key), "mp-metadata")
	if err != nil {
		return false
	}
	upload, err := backend.UnmarshalMpUploadMetadata(raw, false)
	return err == nil && upload.UploadID == id
}
