package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/iot-smart-meter/smartmeter"
)

// shownOnPage is what the browser's page has in it, as the figures that its texts
// were made of.
type shownOnPage struct {
	// Tiles are what each device used today, House all of them.
	Tiles map[smartmeter.DeviceID]string
	House string
	// Period is what Bars and Total are of.
	Period, Total string
	Bars          []string
}

const readPage = `JSON.stringify((() => {
	const wh = (selector) => document.querySelector(selector)?.dataset.wh ?? "";
	const tiles = [...document.querySelectorAll('[data-testid^="tile-"]')].map((tile) => tile.dataset.testid.slice(5));
	return {
		tiles: Object.fromEntries(tiles.map((id) => [id, wh('[data-testid="today-' + id + '"]')])),
		house: wh('[data-testid="house-today"]'),
		period: document.querySelector('[data-testid="bars"]')?.dataset.shown ?? "",
		total: wh('[data-testid="energy-total"]'),
		bars: [...document.querySelectorAll('[data-testid="bars"] button')].map((bar) => bar.dataset.wh ?? ""),
	};
})())`

// inBrowser looks at the page itself: at tiles and the house, and at the bars of
// the days and weeks in which clocks are set.
func (w *energyWorld) inBrowser(t *testing.T) {
	ctx := newBrowser(t)
	address := "http://" + w.hub.cfg.doors.http.Addr().String()
	look := func() (shown shownOnPage) {
		if err := json.Unmarshal([]byte(run(t, ctx, chromedp.Evaluate[string](readPage))), &shown); err != nil {
			t.Fatal(err)
		}
		return shown
	}
	do(t, ctx, chromedp.Navigate(address))
	eventually(t, "tiles and the house show what was used today", func() error {
		want := shownOnPage{Tiles: make(map[smartmeter.DeviceID]string)}
		for id := range energyHousehold {
			want.Tiles[id] = w.told("", id).data()
		}
		var answer energyAnswer
		w.get("/api/v1/energy", &answer)
		want.House = fmt.Sprint(answer.House.Wh)
		if shown := look(); fmt.Sprint(shown.Tiles) != fmt.Sprint(want.Tiles) || shown.House != want.House {
			return fmt.Errorf("they show %v and %s, want %v and %s", shown.Tiles, shown.House, want.Tiles, want.House)
		}
		return nil
	})
	for _, set := range []struct {
		zone, day string
		hours     int
	}{{"Europe/Berlin", "2025-03-30", 23}, {"Europe/Berlin", "2025-10-26", 25}, {"Australia/Lord_Howe", "2025-04-06", 24}, {"Asia/Kolkata", "2025-10-26", 24}} {
		w.settles(set.zone)
		do(t, ctx, chromedp.Reload())
		day, err := time.ParseInLocation(time.DateOnly, set.day, w.zone)
		if err != nil {
			t.Fatal(err)
		}
		week := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		for _, p := range []energyPeriod{
			{device: "boiler", from: day, to: day.AddDate(0, 0, 1), step: "1h"},
			{device: "main", from: week, to: week.AddDate(0, 0, 7), step: "1d"},
		} {
			period, places := "day", set.hours
			if p.step == "1d" {
				period, places = "week", 7
			}
			do(t, ctx, chromedp.Navigate(fmt.Sprintf("%s/#/device/%s?energy=%s&on=%s", address, p.device, period, set.day)))
			eventually(t, fmt.Sprint("bars of ", p), func() error {
				shown, want := look(), w.barsByAPI(p)
				if shown.Period != period+" "+p.from.Format(time.DateOnly) || shown.Total != fmt.Sprint(w.api(p, "whole")) || !slices.Equal(shown.Bars, want) || len(want) != places {
					return fmt.Errorf("the page shows %+v, want %d bars %v", shown, places, want)
				}
				return nil
			})
		}
	}
}

// data is the energy as the page keeps it, "" where nothing is known.
func (e toldEnergy) data() string {
	if !e.known {
		return ""
	}
	return fmt.Sprint(e.wh)
}

// barsByAPI returns the buckets of a period, "" where nothing is known.
func (w *energyWorld) barsByAPI(p energyPeriod) (bars []string) {
	var answer struct {
		Devices []struct {
			Buckets []struct {
				Wh      int64
				Quality string
			}
		}
	}
	w.get("/api/v1/energy?"+w.pageQuery(p, p.step), &answer)
	for _, b := range answer.Devices[0].Buckets {
		bars = append(bars, toldEnergy{b.Wh, b.Quality != "absent"}.data())
	}
	return bars
}
