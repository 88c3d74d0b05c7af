// Package calendar answers whether opening hours are open at an instant, when
// that changes next, and which date it is somewhere.
//
// The package refuses to read the clock and, while deciding, any file: zones
// are resolved once, by Compile and LoadZone at configuration time. Programs
// that use it import time/tzdata, so that zones are found on machines that have
// no zone files; where there are some, those win, and are the administrator's to
// keep up to date.
package calendar
