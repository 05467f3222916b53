"""What runs inside the plugin's sub-interpreter: the framework's loop and its modules.

Loaded there under a private name by tuya/host/instance.py, so that a plugin's own `import tuya` starts from nothing.
Must import nothing of `tuya`, no `threading`, and little else: what is imported here a plugin finds imported already.
"""
