"""The API tests of Octavia's own suite, against libra."""
