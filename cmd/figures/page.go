package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// measureSize weighs the program, and the page as the hub sends it.
func measureSize(ctx context.Context, b *bench) ([]*figure, error) {
	program := &figure{name: "program: size, stripped", unit: "MB"}
	file, err := os.Stat(b.program)
	if err != nil {
		return nil, err
	}
	program.add(megabytes(float64(file.Size())))
	sent := &figure{name: "page: scripts and styles, gzipped", unit: "kB", target: atMost(120)}
	hub, err := b.startFreshHub(ctx)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(ctx, "http://"+hub.addresses["http"])
	sent.add(float64(size) / 1000)
	return []*figure{program, sent}, errors.Join(err, hub.stop())
}

// asset finds the scripts and styles that a page names.
var asset = regexp.MustCompile(`(?:src|href)="([^"]+\.(?:js|css))"`)

// pageSize returns how many bytes a browser loads for the page's scripts and
// styles.
func pageSize(ctx context.Context, base string) (int, error) {
	index, err := load(ctx, base+"/", "identity")
	if err != nil {
		return 0, err
	}
	names := asset.FindAllSubmatch(index, -1)
	if len(names) == 0 {
		return 0, errors.New("the page names no scripts; run `make page` first")
	}
	size := 0
	for _, name := range names {
		packed, err := load(ctx, base+"/"+string(name[1]), "gzip")
		if err != nil {
			return 0, err
		}
		size += len(packed)
	}
	return size, nil
}

// load returns a body as it is sent.
func load(ctx context.Context, address, encoding string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding) // set by us, it is not undone for us
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", address, res.Status)
	}
	return io.ReadAll(res.Body)
}

// measurePage opens the demo's dashboard in a browser that does not know it
// yet.
func measurePage(ctx context.Context, b *bench) (_ []*figure, err error) {
	paint := &figure{name: "page: address to live watts on the demo, nothing cached", unit: "ms", target: below(1000)}
	demo, err := launch(ctx, b.program, "demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, demo.stop()) }()
	browser, closeBrowser, err := openBrowser(ctx, b)
	if err != nil {
		return nil, err
	}
	defer closeBrowser()
	notice := page.AddScriptToEvaluateOnNewDocumentParams{Source: noticeWatts}
	if _, err := chromedp.Call(browser, page.AddScriptToEvaluateOnNewDocument, notice); err != nil {
		return nil, err
	}
	for range b.repeat {
		took, err := firstWatts(browser, "http://"+demo.addresses["http"])
		if err != nil {
			return nil, err
		}
		paint.add(took)
	}
	return []*figure{paint}, nil
}

// openBrowser starts Debian's Chromium with an empty tab.
func openBrowser(ctx context.Context, b *bench) (context.Context, func(), error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("%w; install Debian's package chromium", err)
	}
	dir, err := b.newDir()
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // as root it refuses to run otherwise
		chromedp.DisableGPU,
		chromedp.UserDataDir(dir),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	browser, cancel := chromedp.NewContext(allocator)
	closeAll := func() { cancel(); stop() }
	if err := chromedp.Do(browser, chromedp.EmulateViewport(1280, 800)); err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("start Chromium: %w", err)
	}
	return browser, closeAll, nil
}

// noticeWatts runs before anything of a page. It notes, in ms since the
// navigation began, when a frame that shows the house's watts has been painted:
// the callback is called before the frame, so the next one is after it.
const noticeWatts = `
requestAnimationFrame(function look() {
	const shown = document.querySelector('[data-testid="house-watts"]');
	if (!/\d/.test(shown?.textContent)) return requestAnimationFrame(look);
	requestAnimationFrame(() => { window.firstWatts = performance.now(); });
});`

// firstWatts opens a page that the browser does not know and returns how many
// ms it took until it showed watts.
func firstWatts(browser context.Context, address string) (float64, error) {
	ctx, cancel := context.WithTimeout(browser, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, network.ClearBrowserCache, cdp.Empty{}); err != nil {
		return 0, err
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return 0, err
	}
	return chromedp.Run(ctx, chromedp.Poll[float64]("window.firstWatts"))
}
