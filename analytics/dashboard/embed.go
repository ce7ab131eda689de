// Package dashboard serves the browser dashboard: a single-page application
// whose sources are in src and whose build is embedded into the program.
//
// The build goes to dist/app, which is not tracked; dist/index.html is a
// tracked placeholder, so that the program builds without Node and says what
// is missing. Every file under /assets/dashboard/ has a hash of its content in
// its name and is served immutable, with the .br or .gz sibling made by the
// build when the client accepts it. The page itself is never cached, and its
// content security policy allows no inline script and no foreign origin.
//
// A Handler holds only what it read at construction; it is safe for concurrent
// use.
package dashboard

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// AssetsPrefix is the path under which the hashed files of the build live.
const AssetsPrefix = "/assets/dashboard/"

// New returns the handler of the dashboard embedded in this program. It
// answers GET and HEAD on "/" and under AssetsPrefix, and 404 elsewhere.
//
// The urls are absolute addresses (the public URL of the server) whose origins
// the page may load posters, playlists and segments from and send beacons to,
// beside its own: the page is often opened under another name of the same
// server. New panics on a URL that is not http or https.
func New(urls ...string) *Handler {
	h, err := NewFromFS(embedded(), urls...)
	if err != nil {
		// The embedded tree always holds at least the placeholder page.
		panic("dashboard: " + err.Error())
	}
	return h
}

// embedded returns the build when there is one, else the placeholder.
func embedded() fs.FS {
	for _, dir := range []string{"dist/app", "dist"} {
		if _, err := fs.Stat(dist, dir+"/index.html"); err == nil {
			sub, err := fs.Sub(dist, dir)
			if err == nil {
				return sub
			}
		}
	}
	return dist
}
