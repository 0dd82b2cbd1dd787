"""The application: command line and, later, the window. The only room that may know Qt."""
