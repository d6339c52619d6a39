require('not-installed-anywhere');
