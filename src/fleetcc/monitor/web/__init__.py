"""The picture in a browser: the page's files, and the application that serves them beside the events."""
