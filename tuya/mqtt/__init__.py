"""Front end 2: devices as topics of an MQTT broker, with Home Assistant's discovery.

Uses sharing and what lies below it. Knows nothing of Domoticz. The core is pure: events and messages in, publications
and commands out, time passed in; client.py alone talks to a broker.
"""
